-- One bucket of one limit, judged and charged on Redis's own clock.
-- KEYS[1] the bucket, a hash:
--   i, c    which state this is and how much it was ever charged: a node that knows
--           more of it than is here knows that some was lost
--   b       until when a penalty lasts
--   t       a token bucket's theoretical arrival time
--   p, u    a quota's period and what is used of it
--   h<sec>  held since that second, by failures that are not answered yet
--   <n>     charged in sub-window n of a window
-- Times are microseconds. It answers {granted, remaining, retry, reset, blocked,
-- ttl, now, field, value, ...}, or {-1} when this is not the state that i and c of
-- the caller are of.
local op, alg = ARGV[1], ARGV[2]
local cap, span, rate = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local min, want, nodes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local penalty, inc, cum, fresh = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11]), ARGV[12]
local unhold = ARGV[13]
local holdFor, keep = 120, 16

local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000000 + tonumber(time[2])
local key = KEYS[1]

local f, had = {}, redis.call('HGETALL', key)
for n = 1, #had, 2 do f[had[n]] = had[n + 1] end
if #ARGV == 13 and inc ~= '' and (f.i ~= inc or tonumber(f.c or 0) < cum) then return {-1} end

local set, del = {}, {}
local function put(name, value)
	f[name] = value
	set[name] = value
	del[name] = nil
end
local function drop(name)
	f[name] = nil
	set[name] = nil
	del[name] = true
end
local function num(name) return tonumber(f[name] or 0) end
local function text(n) return string.format('%.0f', n) end

-- What the caller knows and is not here any more. The larger one holds, so that it
-- does no harm when several tell it.
for n = 14, #ARGV, 2 do
	local name, value = ARGV[n], tonumber(ARGV[n + 1])
	if value ~= nil and name ~= 'i' and name ~= 'p' and name ~= 'u' and num(name) < value then put(name, text(value)) end
	if name == 'p' and num('p') < value then put('p', text(value)); put('u', '0') end
	if name == 'u' and num('u') < value then put('u', text(value)) end
end
if f.i == nil then put('i', inc ~= '' and inc or fresh) end
if num('c') < cum then put('c', text(cum)) end

if op == 'forget' then
	local owed = 0
	for name in pairs(f) do
		if name ~= 'i' and name ~= 'c' and string.sub(name, 1, 1) ~= 'h' then drop(name); owed = 1 end
	end
	for name in pairs(del) do redis.call('HDEL', key, name) end
	redis.call('HSET', key, 'i', f.i, 'c', f.c or '0')
	redis.call('PEXPIRE', key, 120000)
	return {owed, cap, 0, 0, 0, 120000000, text(now)}
end

if unhold ~= '' then
	local left = num('h' .. unhold) - min
	if left > 0 then put('h' .. unhold, text(left)) else drop('h' .. unhold) end
end
local held, ttl = 0, 0
for name, value in pairs(f) do
	if string.sub(name, 1, 1) == 'h' then
		local since = tonumber(string.sub(name, 2))
		if since + holdFor <= second or since > second + holdFor then drop(name)
		else held = held + tonumber(value); ttl = holdFor * 1000000 end
	end
end

local function period()
	local day = math.floor(second / 86400)
	if span == 1 then return day, (day + 1) * 86400000000 - now end
	-- Days of the civil calendar, counted from March.
	local z = day + 719468
	local era = math.floor(z / 146097)
	local doe = z - era * 146097
	local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
	local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
	local mp = math.floor((5 * doy + 2) / 153)
	local month = mp < 10 and mp + 3 or mp - 9
	local year = yoe + era * 400 + (month <= 2 and 1 or 0)
	local function first(y, m)
		if m > 12 then y = y + 1; m = 1 end
		if m <= 2 then y = y - 1 end
		local e = math.floor(y / 400)
		local o = y - e * 400
		local d = math.floor((153 * (m + (m > 2 and -3 or 9)) + 2) / 5)
		return e * 146097 + o * 365 + math.floor(o / 4) - math.floor(o / 100) + d - 719468
	end
	return year * 12 + month - 1, first(year, month + 1) * 86400000000 - now
end

local used, retry, reset = 0, 0, 0
local cur, left, epochs, tat, per
if alg == 'w' then
	cur, epochs = math.floor(now / span), {}
	local ahead = 0 -- charged before the clock stepped back
	for name, value in pairs(f) do
		local epoch = tonumber(name)
		if epoch ~= nil and epoch > cur then
			ahead = ahead + tonumber(value)
			drop(name)
		end
	end
	if ahead > 0 then put(text(cur), text(num(text(cur)) + ahead)) end
	for name, value in pairs(f) do
		local epoch = tonumber(name)
		if epoch ~= nil then
			if epoch <= cur - keep then drop(name)
			else epochs[#epochs + 1] = epoch; used = used + tonumber(value) end
		end
	end
	table.sort(epochs)
elseif alg == 'b' then
	per = span / rate
	tat = math.min(math.max(num('t'), now), now + cap * per)
	used = math.ceil((tat - now) / per - 0.000001)
else
	cur, left = period()
	if num('p') < cur then put('p', text(cur)); put('u', '0') end
	used = num('u')
end

local function charge(n)
	if n == 0 then return end
	put('c', text(num('c') + n))
	used = used + n
	if alg == 'w' then
		local name = text(cur)
		if f[name] == nil then epochs[#epochs + 1] = cur end
		put(name, text(num(name) + n))
	elseif alg == 'b' then
		tat = math.ceil(tat + n * per)
		put('t', text(tat))
	else
		put('u', text(num('u') + n))
	end
end

local blocked = 0
if num('b') > now then
	blocked = math.min(num('b') - now, math.max(penalty, 0))
	if penalty > 0 and blocked < num('b') - now then put('b', text(now + blocked)) end
end

local free, granted = cap - used - held, 0
if op == 'charge' then
	charge(min)
elseif op == 'return' then
	-- Of what was granted and not used: as if it had never been. want is the time of
	-- the grant, the arrival time that it made, or its period. A bucket whose debt of
	-- then has leaked away owes nothing of it any more.
	if alg == 'w' then
		local name = text(math.floor(want / span))
		local n = math.min(num(name), min)
		if n > 0 then
			used = used - n
			if num(name) > n then put(name, text(num(name) - n)) else drop(name) end
		end
	elseif alg == 'b' then
		if want >= now then
			tat = math.max(now, math.ceil(tat - min * per))
			used = math.ceil((tat - now) / per - 0.000001)
			put('t', text(tat))
		end
	elseif num('p') == want then
		used = math.max(0, used - min)
		put('u', text(used))
	end
elseif op == 'release' or op == 'look' then
	granted = 0
elseif op ~= 'punish' and blocked == 0 and free >= min and free > 0 then
	if op == 'hold' then
		local name = 'h' .. text(second)
		put(name, text(num(name) + min))
		held, granted, ttl = held + min, min, holdFor * 1000000
	else
		granted = math.min(want, free, math.max(min, math.floor(free / (8 * nodes))))
		charge(granted)
	end
elseif blocked == 0 and penalty > 0 and min > 0 and min <= cap and free < min then
	blocked = penalty
	put('b', text(now + penalty))
end

local remaining = math.max(0, cap - used - held)
if alg == 'w' then
	local missing = min + used + held - cap
	for _, epoch in ipairs(epochs) do
		local at = (epoch + keep) * span - now
		if reset == 0 then reset = at end
		if missing > 0 then
			missing = missing - num(text(epoch))
			retry = at
		end
	end
	if #epochs > 0 then ttl = math.max(ttl, (epochs[#epochs] + keep) * span - now) end
elseif alg == 'b' then
	retry = math.max(0, tat + (min + held - cap) * per - now)
	if tat > now then reset = per - math.fmod(cap * per - (tat - now), per) end
	ttl = math.max(ttl, tat - now)
else
	if used + min + held > cap then retry = left end
	if used > 0 then reset = left; ttl = math.max(ttl, left) end
end
if held > 0 and retry == 0 and min > remaining then retry = 1000000 end
if blocked > 0 then
	retry, reset, remaining = math.max(retry, blocked), math.max(reset, blocked), 0
	ttl = math.max(ttl, blocked)
end

local wrote = false
for name in pairs(del) do redis.call('HDEL', key, name); wrote = true end
for name, value in pairs(set) do redis.call('HSET', key, name, value); wrote = true end
if wrote then redis.call('PEXPIRE', key, math.ceil(ttl / 1000) + 1000) end

local answer = {granted, remaining, math.ceil(retry), math.ceil(reset), math.ceil(blocked), math.ceil(ttl), text(now)}
for name, value in pairs(f) do
	answer[#answer + 1] = name
	answer[#answer + 1] = value
end
return answer
