-- The record as JSON in "message", and its type in "msgid", for syslog-tls.yaml.
-- Keys are sorted, so that a record that is sent twice is the same text twice.

-- With the head of the message it stays below syslog_maxsize, which would cut anywhere.
local LIMIT = 65000

-- Fields that are removed, one after the other, from a record that is too long.
local LONGEST = { "payload", "raw", "message", "access", "unverified", "kubernetes", "input", "metadata", "login", "run" }

local ARRAY = 1 -- the type that Fluent Bit notes in the metatable (flb_lua.h)
local MAX_DEPTH = 64

-- JSON requires escapes for the first 0x20 bytes, the quote and the backslash. DEL is
-- escaped too, because terminals act on it. UTF-8 stays as it is.
local escaped = {}
for byte = 0, 31 do
  escaped[string.char(byte)] = string.format("\\u%04x", byte)
end
escaped["\127"] = "\\u007f"
escaped['"'] = '\\"'
escaped["\\"] = "\\\\"
escaped["\n"] = "\\n"
escaped["\r"] = "\\r"
escaped["\t"] = "\\t"

local function text(s)
  return '"' .. s:gsub('[%z\1-\31\127"\\]', escaped) .. '"'
end

-- Lua's numbers are doubles. Records hold no integer above 2^53.
local function number(n)
  if n ~= n or n == math.huge or n == -math.huge then
    return "null"
  elseif n == math.floor(n) and math.abs(n) <= 2 ^ 53 then
    return string.format("%.0f", n)
  end
  return string.format("%.17g", n)
end

local function is_array(t)
  local meta = getmetatable(t)
  if type(meta) == "table" and meta.type then
    return meta.type == ARRAY
  end
  return #t > 0
end

local value

local function array(t, depth)
  local parts = {}
  for i = 1, #t do
    parts[i] = value(t[i], depth)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function map(t, depth)
  local keys, values = {}, {}
  for k, v in pairs(t) do
    local key = tostring(k)
    keys[#keys + 1] = key
    values[key] = v
  end
  table.sort(keys)
  local parts = {}
  for i, key in ipairs(keys) do
    parts[i] = text(key) .. ":" .. value(values[key], depth)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function value(v, depth)
  local kind = type(v)
  if kind == "string" then
    return text(v)
  elseif kind == "number" then
    return number(v)
  elseif kind == "boolean" then
    return tostring(v)
  elseif kind ~= "table" or depth > MAX_DEPTH then
    return "null"
  elseif is_array(v) then
    return array(v, depth + 1)
  end
  return map(v, depth + 1)
end

function to_syslog(tag, timestamp, record)
  local kind = type(record.event) == "table" and record.event.type or nil
  local message = value(record, 0)
  for _, name in ipairs(LONGEST) do
    if #message <= LIMIT then
      break
    end
    record[name] = nil
    record.cut = true
    message = value(record, 0)
  end
  return 2, timestamp, {
    message = message,
    -- 32 printable characters without a space (RFC 5424).
    msgid = type(kind) == "string" and kind:gsub("[^%w._-]", "_"):sub(1, 32) or "-",
  }
end
