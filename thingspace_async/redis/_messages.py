"""What an inbox in Redis does in one step each.

The keys, all of one slot: `messages` is a Stream with an entry for each message, `times` a sorted set of all messages
by the time that they came, `digests` a hash of the last message with each digest, `newest` the last number given;
`request:ID` a sorted set of the messages of one request by number, `followers:ID` a set of the processes that follow
it, and `wake:PROCESS` a Stream of what one process is to look at. The scripts make the names of the last three from
their common start.

A number is Redis's time in microseconds, or one more than the last: it has 16 digits until the year 2286, so that texts
are in the order of numbers, and it grows even where Redis was restarted empty. In `times` a message is its number with
`:SERVICE` behind it, so that what other services sent is passed over unread.
"""

from __future__ import annotations

from typing import Final

from thingspace_async.redis._scripts import Script

__all__ = ["KEEP_UP", "PAGE_OF_REQUEST", "PAGE_OF_TIME", "REGISTER", "REMOVE", "STORE"]

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

# KEYS: messages, times, digests, newest, answer. ARGV: the start of all keys, the most messages to keep (0: all), and
# of each message its digest, `:SERVICE` or nothing, `:REQUEST` or nothing, its time in microseconds, how soon after the
# last of its digest it is a repeat, and its body. Returns a digit for each: 1 where it was new.
#
# A client that has lost the answer sends the same again: what was answered is kept for it. What needs memory comes
# first, because a script that has written something is not stopped any more. The process that stores is told like the
# others: it may never learn that it has stored.
STORE: Final = Script(
    _FORGET
    + """
local answered = redis.call('GET', KEYS[5])
if answered then return answered end
local time = redis.call('TIME')
local newest = math.max(tonumber(redis.call('GET', KEYS[4]) or 0), time[1] * 1000000 + time[2])
local outcomes, told = {}, {}
for place = 3, #ARGV, 6 do
    local digest, service, request, came = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
    local known = redis.call('HGET', KEYS[3], digest)
    local latest = known and redis.call('ZSCORE', KEYS[2], known .. service)
    if latest and came - latest <= tonumber(ARGV[place + 4]) then
        outcomes[#outcomes + 1] = '0'
    else
        newest = newest + 1
        local number = string.format('%.0f', newest)
        redis.call('XADD', KEYS[1], number .. '-0', 'at', came, 'service', service, 'digest', digest,
            'request', request, 'body', ARGV[place + 5])
        redis.call('ZADD', KEYS[2], came, number .. service)
        redis.call('HSET', KEYS[3], digest, number)
        redis.call('SET', KEYS[4], number)
        if request ~= '' then
            redis.call('ZADD', ARGV[1] .. 'request' .. request, number, number)
            told[request] = true
        end
        outcomes[#outcomes + 1] = '1'
    end
end
answered = table.concat(outcomes)
redis.call('SET', KEYS[5], answered, 'PX', 10000)
for request in pairs(told) do
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

# KEYS: messages, times, digests. ARGV: the start of all keys, the time before which to remove, the most to remove.
# Returns how many were removed. What is removed is always the first of `times`.
REMOVE: Final = Script(
    _FORGET
    + """
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
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

# KEYS: messages, request. ARGV: the number behind which to read, the most to read, the bytes after which to stop.
# Returns the number behind which to go on, or nothing, and then for each message its number, its time, `:SERVICE` or
# nothing, and its body, one behind the other.
PAGE_OF_REQUEST: Final = Script(
    _TAKE
    + """
local rows = {''}
for place, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
    take(rows, number)
    if place == tonumber(ARGV[2]) or bytes >= tonumber(ARGV[3]) then
        rows[1] = number
        return rows
    end
end
return rows
"""
)

# KEYS: messages, times. ARGV: the time from which to read, what in `times` to read behind, if anything, the time before
# which to read, `:SERVICE` or nothing for all, the most to read, the most to look at, the bytes after which to stop.
# Returns the time and the name in `times` of where to go on, or nothing twice, and then as for a request.
#
# Where that which to read behind was removed, all before it was, too.
PAGE_OF_TIME: Final = Script(
    _TAKE
    + """
local behind = redis.call('ZRANK', KEYS[2], ARGV[2])
local first = behind and behind + 1 or redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[1])
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

# KEYS: wake. ARGV: the start of all keys, the process, seconds after which it is taken for dead, seconds for which it
# is known to follow, and the requests. Returns those of the requests that it was not known to follow.
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

# KEYS: wake. ARGV: seconds after which the process is taken for dead, and the last of what it has read.
# Returns 0 where Redis has taken it for dead already, or has forgotten everything.
KEEP_UP: Final = Script("""
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[1])
""")
