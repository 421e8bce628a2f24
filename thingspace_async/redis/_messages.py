"""Lua scripts of the inbox in Redis.

All keys are in one slot:

- `messages`: a stream with one entry per message
- `times`: a sorted set of all messages by time of arrival
- `digests`: a hash of the latest message with each digest
- `newest`: the highest number that was assigned
- `request:ID`: a sorted set of a request's messages by number
- `followers:ID`: a set of the processes that follow a request
- `wake:PROCESS`: a stream of the requests with new messages for one process
- `answer:ID`: the answer of one STORE call, kept for 10 seconds
- `first`: a hash of the inbox's values, such as the credentials of its listeners

The scripts derive the names of `request`, `followers` and `wake` from the common prefix of all keys.

A number is Redis's time in microseconds, or the last number plus one. It has 16 digits until the year 2286, so numbers
sort as strings. It also grows after Redis has restarted empty. In `times`, a message is its number followed by
`:SERVICE`, so that a reader can skip messages of other services without loading them.
"""

from __future__ import annotations

from typing import Final

from thingspace_async.redis._scripts import Script

__all__ = ["KEEP_FIRST", "PAGE_OF_REQUEST", "PAGE_OF_TIME", "REGISTER", "REMOVE", "RENEW", "STORE"]

_FORGET: Final = """
local function forget(start, members)
    for _, member in ipairs(members) do
        local number = member:sub(1, 16)
        local entry = redis.call('XRANGE', KEYS[1], number .. '-0', number .. '-0')[1]
        if entry then
            local digest, request = entry[2][6], entry[2][8]
            if request ~= '' then redis.call('ZREM', start .. 'request' .. request, number) end
            if redis.call('HGET', KEYS[3], digest) == number then redis.call('HDEL', KEYS[3], digest) end
            redis.call('XDEL', KEYS[1], number .. '-0')
        end
        redis.call('ZREM', KEYS[2], member)
    end
end
"""

# KEYS: messages, times, digests, newest, answer.
# ARGV: prefix of all keys; most messages to keep, or 0 for all; then for each message: its digest, `:SERVICE` or
# nothing, `:REQUEST` or nothing, the microseconds in which its digest makes it a repeat, its body.
# Returns a string with one digit per message: 1 if it was new.
#
# Only Redis's clock counts. After a failover it may be behind the stored times, so the age of a repeat is an absolute
# difference. The answer is kept for a client that lost it and sends the same call again. Commands that need memory come
# first: Redis does not stop a script that has written something. The storing process is woken like all others, because
# it may never get the answer.
STORE: Final = Script(
    _FORGET
    + """
local answered = redis.call('GET', KEYS[5])
if answered then return answered end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local came = string.format('%.0f', now)
local newest = math.max(tonumber(redis.call('GET', KEYS[4]) or 0), now)
local outcomes, requests = {}, {}
for place = 3, #ARGV, 5 do
    local digest, service, request = ARGV[place], ARGV[place + 1], ARGV[place + 2]
    local known = redis.call('HGET', KEYS[3], digest)
    local latest = known and redis.call('ZSCORE', KEYS[2], known .. service)
    if latest and math.abs(now - latest) <= tonumber(ARGV[place + 3]) then
        outcomes[#outcomes + 1] = '0'
    else
        newest = newest + 1
        local number = string.format('%.0f', newest)
        redis.call('XADD', KEYS[1], number .. '-0', 'at', came, 'service', service, 'digest', digest,
            'request', request, 'body', ARGV[place + 4])
        redis.call('ZADD', KEYS[2], came, number .. service)
        redis.call('HSET', KEYS[3], digest, number)
        redis.call('SET', KEYS[4], number)
        if request ~= '' then
            redis.call('ZADD', ARGV[1] .. 'request' .. request, number, number)
            requests[request] = true
        end
        outcomes[#outcomes + 1] = '1'
    end
end
answered = table.concat(outcomes)
redis.call('SET', KEYS[5], answered, 'PX', 10000)
for request in pairs(requests) do
    local followers = ARGV[1] .. 'followers' .. request
    for _, process in ipairs(redis.call('SMEMBERS', followers)) do
        local wake = ARGV[1] .. 'wake:' .. process
        if redis.call('EXISTS', wake) == 0 then
            redis.call('SREM', followers, process)
        else
            redis.call('XADD', wake, 'MAXLEN', '~', 1000, '*', 'request', request:sub(2))
        end
    end
end
local excess = ARGV[2] ~= '0' and redis.call('ZCARD', KEYS[2]) - ARGV[2] or 0
if excess > 0 then forget(ARGV[1], redis.call('ZRANGE', KEYS[2], 0, math.min(excess, 1000) - 1)) end
return answered
"""
)

# KEYS: messages, times, digests.
# ARGV: prefix of all keys, age in microseconds, most messages to remove.
# Returns the number of removed messages. The oldest are removed first.
REMOVE: Final = Script(
    _FORGET
    + """
local time = redis.call('TIME')
local before = string.format('(%.0f', time[1] * 1000000 + time[2] - ARGV[2])
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, ARGV[3])
forget(ARGV[1], old)
return #old
"""
)

_TAKE: Final = """
local bytes = 0
local function take(rows, number)
    local entry = redis.call('XRANGE', KEYS[1], number .. '-0', number .. '-0')[1]
    if entry then
        for _, value in ipairs({number, entry[2][2], entry[2][4], entry[2][10]}) do rows[#rows + 1] = value end
        bytes = bytes + #entry[2][10]
    end
end
"""

# KEYS: messages, request, newest.
# ARGV: last number that was read, most messages to read, bytes that end the page.
# Returns a flat list: the last number of this page, or nothing if there are no more messages; then for each message its
# number, its time, `:SERVICE` or nothing, and its body.
#
# If the last number that was read is higher than `newest`, Redis has lost messages in a failover or restart. It may
# assign their numbers again, so all messages of the request are read again.
PAGE_OF_REQUEST: Final = Script(
    _TAKE
    + """
local rows, after = {''}, ARGV[1]
if tonumber(redis.call('GET', KEYS[3]) or 0) < tonumber(after) then after = '0' end
for place, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. after, '+inf', 'LIMIT', 0, ARGV[2])) do
    take(rows, number)
    if place == tonumber(ARGV[2]) or bytes >= tonumber(ARGV[3]) then
        rows[1] = number
        return rows
    end
end
return rows
"""
)

# KEYS: messages, times.
# ARGV: start of the period, last member of `times` that was read or nothing, end of the period, `:SERVICE` or nothing
# for all services, most messages to read, most messages to examine, bytes that end the page.
# Returns the time and member that the page ends with, or two empty strings if there are no more; then the messages, as
# PAGE_OF_REQUEST does.
#
# If the last member that was read has been removed, all messages before it have been removed too.
PAGE_OF_TIME: Final = Script(
    _TAKE
    + """
local rank = redis.call('ZRANK', KEYS[2], ARGV[2])
local first = rank and rank + 1 or redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[1])
local members = redis.call('ZRANGE', KEYS[2], first, first + ARGV[6] - 1, 'WITHSCORES')
local rows = {'', ''}
for place = 1, #members, 2 do
    local member, came = members[place], members[place + 1]
    if tonumber(came) >= tonumber(ARGV[3]) then return rows end
    if ARGV[4] == '' or member:sub(17) == ARGV[4] then take(rows, member:sub(1, 16)) end
    if #rows == 2 + 4 * ARGV[5] then return rows end
    if bytes >= tonumber(ARGV[7]) then
        rows[1], rows[2] = came, member
        return rows
    end
end
if #members == 2 * ARGV[6] then rows[1], rows[2] = members[#members], members[#members - 1] end
return rows
"""
)

# KEYS: first. ARGV: a name and a value. Returns the value that is stored under the name.
KEEP_FIRST: Final = Script("""
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
""")

# KEYS: wake.
# ARGV: prefix of all keys, the process, seconds until the process expires, seconds until its registrations expire, and
# the requests.
# Returns the requests that the process was not registered for.
REGISTER: Final = Script("""
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('XADD', KEYS[1], '*', 'request', '') end
redis.call('EXPIRE', KEYS[1], ARGV[3])
local added = {}
for place = 5, #ARGV do
    local followers = ARGV[1] .. 'followers:' .. ARGV[place]
    if redis.call('SADD', followers, ARGV[2]) == 1 then added[#added + 1] = ARGV[place] end
    redis.call('EXPIRE', followers, ARGV[4])
end
return added
""")

# KEYS: wake. ARGV: seconds until the process expires, the last entry that it has read.
# Returns 0 if the process has expired, or if Redis has lost all its data.
RENEW: Final = Script("""
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[1])
""")
