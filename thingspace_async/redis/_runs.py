r"""Lua scripts of the ledger in Redis.

The keys of a run are all in one slot:

- `state`: a hash of the run's name, description, id and counter, the number of workers that have joined, and whether
  the run is being forgotten
- `members`: a hash of its workers, each "PLACE STATE UNTIL LENGTH" with times in microseconds
- `batches`: a sorted set of the keys of its batches, all with score 0
- `owned`: a sorted set of "WORKER\0KEY" for each of its batches, all with score 0
- `batch:KEY`: a hash with the fields of a batch
- `rows:KEY`: the rows of a batch
- `BUCKET`: a set of claimed numbers. Redis needs 8 bytes per number in sets of up to 512 numbers
  (`set-max-intset-entries`).

`runs` belongs to the inbox: a hash of the descriptions of all its runs.

The scripts derive the names of `batch`, `rows` and the buckets from the common prefix of all keys. Each script that
changes a run increments its counter, even if there is nothing to do, so that WAIT always has a change to wait for.
"""

from __future__ import annotations

from typing import Final

from thingspace_async.redis._scripts import Script

__all__ = [
    "BATCH",
    "BATCHES",
    "BEGIN_TO_FORGET",
    "BUCKETS",
    "CHANGE",
    "CLAIM",
    "FIELDS",
    "FORGOTTEN",
    "LEASE",
    "LOOK",
    "PUT_BACK",
    "RELEASE",
    "REMOVE",
]

BUCKETS: Final = 2**16
"""Twenty million numbers put about 300 into each bucket."""

FIELDS: Final = ("worker", "fence", "state", "detail", "size", "changed")
"""The fields of a batch. Listings return them after its key."""

# For scripts whose KEYS start with `state` and `members`, and whose ARGV start with the id and counter of a place.
_RUN: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function lost()
    local id, counter = unpack(redis.call('HMGET', KEYS[1], 'id', 'counter'))
    return id ~= ARGV[1] or tonumber(counter) < tonumber(ARGV[2])
end
local function counted() return redis.call('HINCRBY', KEYS[1], 'counter', 1) end
local function is_alive(member)
    local ends, length = member:match('(%d+) (%d+)$')
    return tonumber(ends) > now and ends - now <= tonumber(length)
end
local function any_alive()
    for _, member in ipairs(redis.call('HVALS', KEYS[2])) do
        if is_alive(member) then return true end
    end
    return false
end
local function lease(worker, state, length)
    local place = (redis.call('HGET', KEYS[2], worker) or ''):match('^%d+')
    place = place or redis.call('HINCRBY', KEYS[1], 'joined', 1)
    redis.call('HSET', KEYS[2], worker, string.format('%d %s %.0f %d', place, state, now + length, length))
end
local function members() return redis.call('HGETALL', KEYS[2]) end
"""

_OWNED: Final = """
local function owned(worker, key) return worker .. '\\0' .. key end
"""

# Claims are one argument, "BUCKET NUMBER BUCKET NUMBER ...", because clients are slow with many arguments.
_CLAIMS: Final = """
local function each(claims) return claims:gmatch('(%x+) (%-?%d+)') end
local function change(command, start, claims)
    for bucket, number in each(claims) do redis.call(command, start .. bucket, number) end
end
"""

_FIELDS: Final = ", ".join(f"'{name}'" for name in FIELDS)


def _script(text: str) -> Script:
    return Script(_RUN + text)


# KEYS: state, members, runs, and two keys that exist if an earlier version began the run.
# ARGV: id or nothing, counter, worker, its state, microseconds of its lease, description, id for a new run, name.
# Returns `ok`, id, counter, description, time and members; or `lost`, `forgotten` or `earlier`.
LEASE: Final = _script("""
local id, forgetting = unpack(redis.call('HMGET', KEYS[1], 'id', 'forgetting'))
if ARGV[1] ~= '' then
    if lost() then return {'lost'} end
elseif forgetting then
    return {'forgotten'}
elseif not id then
    if redis.call('EXISTS', KEYS[4], KEYS[5]) > 0 then return {'earlier'} end
    redis.call('HSET', KEYS[1], 'name', ARGV[8], 'description', ARGV[6], 'id', ARGV[7], 'counter', 0)
    redis.call('HSET', KEYS[3], ARGV[8], ARGV[6])
end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 and not any_alive() then redis.call('DEL', KEYS[2]) end
lease(ARGV[3], ARGV[4], ARGV[5])
local counter = counted()
local known, description = unpack(redis.call('HMGET', KEYS[1], 'id', 'description'))
return {'ok', known, counter, description, string.format('%.0f', now), members()}
""")

# KEYS: as for LEASE. ARGV: id or nothing, counter. Returns the same as LEASE, or `none`.
LOOK: Final = _script("""
local id, counter, description, forgetting = unpack(
    redis.call('HMGET', KEYS[1], 'id', 'counter', 'description', 'forgetting'))
if ARGV[1] ~= '' and lost() then return {'lost'} end
if forgetting then return {'forgotten'} end
if not id then return {redis.call('EXISTS', KEYS[4], KEYS[5]) > 0 and 'earlier' or 'none'} end
return {'ok', id, tonumber(counter), description, string.format('%.0f', now), members()}
""")

# KEYS: state, members, the batch, its rows, batches, owned.
# ARGV: id, counter, worker, microseconds of its lease, key of the batch, size that the worker believes it to have,
# largest size, prefix of all keys, and two lines per item: its claims, with that of the whole item first, and its row.
# Returns `ok`, id, counter, and one digit per item, up to the last item that fits the batch; without the digits if the
# batch is gone or belongs to another worker.
CLAIM: Final = _script(
    _OWNED
    + _CLAIMS
    + """
if lost() then return {'lost'} end
local counter = counted()
lease(ARGV[3], 'working', ARGV[4])
local worker, state, size, answer = unpack(redis.call('HMGET', KEYS[3], 'worker', 'state', 'size', 'answer'))
size = tonumber(size or 0)
if worker and (worker ~= ARGV[3] or state ~= 'claimed') or size < tonumber(ARGV[6]) then
    return {'ok', ARGV[1], counter}
end
if size > tonumber(ARGV[6]) then return {'ok', ARGV[1], counter, answer} end
local marks, rows, room = {}, {}, ARGV[7] - size
for claims, row in ARGV[9]:gmatch('([^\\n]*)\\n([^\\n]*)\\n') do
    if #rows == room then break end
    local mark, clash = '1', '0'
    for bucket, number in each(claims) do
        if redis.call('SISMEMBER', ARGV[8] .. bucket, number) == 1 then
            mark = clash
            break
        end
        clash = '2'
    end
    if mark == '1' then
        change('SADD', ARGV[8], claims)
        rows[#rows + 1] = row
    end
    marks[#marks + 1] = mark
end
answer = table.concat(marks)
if #rows > 0 then
    if not worker then
        redis.call('HSET', KEYS[3], 'worker', ARGV[3], 'state', 'claimed', 'fence', 1, 'detail', '',
            'changed', string.format('%.0f', now))
        redis.call('ZADD', KEYS[5], 0, ARGV[5])
        redis.call('ZADD', KEYS[6], 0, owned(ARGV[3], ARGV[5]))
    end
    redis.call('HSET', KEYS[3], 'size', size + #rows, 'answer', answer)
    redis.call('APPEND', KEYS[4], (worker and '\\n' or '') .. table.concat(rows, '\\n'))
end
return {'ok', ARGV[1], counter, answer}
"""
)

# KEYS: state, members, the batch, owned.
# ARGV: id, counter, key of the batch, its fence, and its new worker, state and detail.
# Returns `ok`, id, counter, and the fields of the batch.
CHANGE: Final = _script(
    _OWNED
    + f"""
if lost() then return {{'lost'}} end
local worker, fence = unpack(redis.call('HMGET', KEYS[3], 'worker', 'fence'))
if not worker or tonumber(fence) < tonumber(ARGV[4]) then return {{'lost'}} end
local counter = counted()
if fence == ARGV[4] then
    redis.call('HSET', KEYS[3], 'worker', ARGV[5], 'state', ARGV[6], 'detail', ARGV[7], 'fence', fence + 1,
        'changed', string.format('%.0f', now))
    redis.call('ZREM', KEYS[4], owned(worker, ARGV[3]))
    redis.call('ZADD', KEYS[4], 0, owned(ARGV[5], ARGV[3]))
end
return {{'ok', ARGV[1], counter, redis.call('HMGET', KEYS[3], {_FIELDS})}}
"""
)

# KEYS: state, members, the batch, its rows, batches, owned.
# ARGV: id, counter, key of the batch, its fence, prefix of all keys, claims.
# Returns `ok`, id, counter, and 1 if the batch is gone.
RELEASE: Final = _script(
    _OWNED
    + _CLAIMS
    + """
if lost() then return {'lost'} end
local counter = counted()
local worker, fence = unpack(redis.call('HMGET', KEYS[3], 'worker', 'fence'))
if not worker then return {'ok', ARGV[1], counter, 1} end
if fence ~= ARGV[4] then return {'ok', ARGV[1], counter, 0} end
change('SREM', ARGV[5], ARGV[6])
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('ZREM', KEYS[5], ARGV[3])
redis.call('ZREM', KEYS[6], owned(worker, ARGV[3]))
return {'ok', ARGV[1], counter, 1}
"""
)

# KEYS: state, members, the batch, its rows, batches, owned, runs.
# ARGV: id, counter, name of the run, its description, prefix of all keys, key of the batch, its fields, rows, claims.
# Returns `ok`, id and counter. If the run is being forgotten, the counter is the one in ARGV.
PUT_BACK: Final = _script(
    _OWNED
    + _CLAIMS
    + f"""
local id, counter, forgetting = unpack(redis.call('HMGET', KEYS[1], 'id', 'counter', 'forgetting'))
if forgetting then return {{'ok', ARGV[1], tonumber(ARGV[2])}} end
if not id then
    redis.call('HSET', KEYS[1], 'name', ARGV[3], 'description', ARGV[4], 'id', ARGV[1])
    redis.call('HSET', KEYS[7], ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'counter', math.max(tonumber(counter or 0), tonumber(ARGV[2])))
change('SADD', ARGV[5], ARGV[{8 + len(FIELDS)}])
local worker, fence = unpack(redis.call('HMGET', KEYS[3], 'worker', 'fence'))
if not worker or tonumber(fence) < tonumber(ARGV[8]) then
    if worker then redis.call('ZREM', KEYS[6], owned(worker, ARGV[6])) end
    for n, name in ipairs({{{_FIELDS}}}) do redis.call('HSET', KEYS[3], name, ARGV[6 + n]) end
    redis.call('SET', KEYS[4], ARGV[{7 + len(FIELDS)}])
    redis.call('ZADD', KEYS[5], 0, ARGV[6])
    redis.call('ZADD', KEYS[6], 0, owned(ARGV[7], ARGV[6]))
end
return {{'ok', id or ARGV[1], counted()}}
"""
)

# KEYS: state, members, and `batches` or `owned`.
# ARGV: id, counter, start and end of the range, most batches to list, number of bytes before a batch's key,
# prefix of all keys.
# Returns `ok`, id, counter, and the key and fields of each batch.
BATCHES: Final = _script(f"""
if lost() then return {{'lost'}} end
local found = {{'ok', ARGV[1], tonumber(redis.call('HGET', KEYS[1], 'counter'))}}
for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])) do
    local key = member:sub(ARGV[6] + 1)
    found[#found + 1] = {{key, unpack(redis.call('HMGET', ARGV[7] .. 'batch:' .. key, {_FIELDS}))}}
end
return found
""")

# KEYS: state, members, the batch, its rows. ARGV: id, counter.
# Returns `ok`, id, counter, the fields of the batch, and its rows.
BATCH: Final = _script(f"""
if lost() then return {{'lost'}} end
local counter = tonumber(redis.call('HGET', KEYS[1], 'counter'))
if redis.call('EXISTS', KEYS[3]) == 0 then return {{'ok', ARGV[1], counter}} end
return {{'ok', ARGV[1], counter, redis.call('HMGET', KEYS[3], {_FIELDS}), redis.call('GET', KEYS[4])}}
""")

FORGOTTEN: Final = "forgotten"
"""Replaces the operation of a run that an earlier version began, so that no program of that version joins it."""

# KEYS: state, members, and the earlier version's run and workers. ARGV: FORGOTTEN.
# Returns 1, or 0 if a worker is alive. The earlier version's workers are a sorted set by the end of their leases in
# milliseconds.
BEGIN_TO_FORGET: Final = _script("""
if any_alive() or redis.call('ZCOUNT', KEYS[4], math.floor(now / 1000), '+inf') > 0 then return 0 end
redis.call('HSET', KEYS[1], 'forgetting', 1)
redis.call('HDEL', KEYS[1], 'id')
if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('HSET', KEYS[3], 'began as', ARGV[1])
    redis.call('HDEL', KEYS[3], 'id')
end
return 1
""")

# KEYS: state, runs, and keys to remove. ARGV: the run's name if these are its last keys, or nothing.
# Returns 1, or 0 if another process has forgotten the run meanwhile: a run of that name is then a new one.
REMOVE: Final = Script("""
if redis.call('HEXISTS', KEYS[1], 'forgetting') == 0 then return 0 end
redis.call('UNLINK', unpack(KEYS, 3))
if ARGV[1] ~= '' then
    redis.call('UNLINK', KEYS[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
""")
