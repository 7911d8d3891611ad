-- DiffAVA Foley in Resolve's menu where Resolve has no Python: the free version from 21.1 on.
--
-- Scripts of the menu run in a sandbox there: no package, no ffi, no io, no way to start a program. So the companion is
-- started by hand (`diffava resolve listen`) and both leave each other files: it writes request.lua, which `loadfile`
-- reads, and this script answers through Fusion's preferences, the one thing that it can write. Requests, values and
-- what is undone when the companion dies are those of diffava_launcher.

-- The installer puts a table here, mailbox (a folder) and version, and the names of diffava_launcher/names.py.
local SETTINGS = nil
local ALLOWED = ""

local PROTOCOL = 1
local POLL_S = 0.05
local DEAD_AFTER_POLLS = 200 -- ten seconds without a sign of the companion
local MAX_ANSWER_BYTES = 1024 * 1024 -- Fusion writes all its preferences with every answer
local KEY = "Global.DiffAVA.Answer"

-- Calls whose answer is a table by name, even where it is empty or its keys happen to be 1, 2, 3.
local TABLES = {
  GetMarkers = true, GetMarkInOut = true, GetClipProperty = true, GetMetadata = true, GetThirdPartyMetadata = true,
  GetRenderFormats = true, GetRenderCodecs = true, GetMarkerByCustomData = true, GetRenderJobStatus = true,
  GetCurrentRenderFormatAndCodec = true, GetProperties = true, GetSettings = true, GetFades = true,
  GetTakeByIndex = true,
}

local function say(text)
  print("DiffAVA Foley: " .. text)
end

-- values ------------------------------------------------------------------------------------------------------------

local held, held_count = {}, 0

local function refuse(kind, message)
  error({ kind = kind, message = message }, 0)
end

local function object_of(handle)
  if held[handle] == nil then
    refuse("stale", "There is no object " .. tostring(handle) .. "; it was given back.")
  end
  return held[handle]
end

local function json_text(text)
  local escaped = text:gsub('[%c"\\]', function(letter)
    return ("\\u%04x"):format(letter:byte())
  end)
  return '"' .. escaped .. '"'
end

local function is_list(value)
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  return count == #value
end

local function is_plain_table(value)
  return type(value) == "table" and getmetatable(value) == nil
end

local json

local function json_table(value)
  local parts, is_named = {}, true
  for key in pairs(value) do
    is_named = is_named and type(key) == "string"
  end
  for key, one in pairs(value) do
    parts[#parts + 1] = is_named and json_text(key) .. ":" .. json(one) or "[" .. json(key) .. "," .. json(one) .. "]"
  end
  local inside = table.concat(parts, ",")
  return is_named and "{" .. inside .. "}" or '{"$map":[' .. inside .. "]}"
end

json = function(value, name)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" then
    return value == nil and "null" or tostring(value)
  elseif kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      refuse("too_large", "Resolve gave a number that is none.")
    end
    local is_whole = value == math.floor(value) and math.abs(value) < 2 ^ 53
    return is_whole and ("%.0f"):format(value) or ("%.17g"):format(value)
  elseif kind == "string" then
    return json_text(value)
  elseif not is_plain_table(value) then
    held_count = held_count + 1
    held[held_count] = value
    return ('{"$handle":%d}'):format(held_count)
  elseif TABLES[name] or not is_list(value) then
    return json_table(value)
  end
  local parts = {}
  for index, one in ipairs(value) do
    parts[index] = json(one)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function unpacked(value)
  if type(value) ~= "table" then
    return value
  elseif value["$handle"] ~= nil then
    return object_of(value["$handle"])
  end
  local found = {}
  if value["$map"] ~= nil then
    for _, pair in ipairs(value["$map"]) do
      found[unpacked(pair[1])] = unpacked(pair[2])
    end
    return found
  end
  for key, one in pairs(value) do
    if key ~= "$n" then -- a list's length; Resolve knows no such key
      found[key] = unpacked(one)
    end
  end
  return found
end

-- what is undone when the companion dies ----------------------------------------------------------------------------

local steps = {}
local SETTERS = {
  SetTrackName = { "GetTrackName", 2 }, SetTrackEnable = { "GetIsTrackEnabled", 2 },
  SetTrackLock = { "GetIsTrackLocked", 2 }, SetSetting = { "GetSetting", 1 },
  SetCurrentFolder = { "GetCurrentFolder", 0 }, SetCurrentTimeline = { "GetCurrentTimeline", 0 },
  SetCurrentTimecode = { "GetCurrentTimecode", 0 }, SetClipEnabled = { "GetClipEnabled", 0 },
  SetCurrentRenderMode = { "GetCurrentRenderMode", 0 }, OpenPage = { "GetCurrentPage", 0 },
  SelectTakeByIndex = { "GetSelectedTakeIndex", 0 },
}
local LOST = {
  DeleteClips = true, DeleteTrack = true, DeleteMarkerAtFrame = true, DeleteMarkerByCustomData = true,
  FinalizeTake = true, ReplaceClip = true,
}

local function remember(name, step)
  steps[#steps + 1] = { name, step }
end

local function items_of(timeline, wanted)
  local found = {}
  for _, kind in ipairs({ "audio", "video" }) do
    for index = 1, timeline:GetTrackCount(kind) do
      for _, item in ipairs(timeline:GetItemListInTrack(kind, index) or {}) do
        if wanted[item:GetUniqueId()] then
          found[#found + 1] = item
        end
      end
    end
  end
  return found
end

-- The first call of a session may do nothing, and on the Fairlight page none does (both were measured).
local function delete_items(timeline, wanted)
  local page = resolve:GetCurrentPage()
  for attempt = 1, 3 do
    local found = items_of(timeline, wanted)
    if #found == 0 then
      break
    elseif attempt == 2 and page ~= "edit" then
      resolve:OpenPage("edit")
    end
    timeline:DeleteClips(found, false)
  end
  if page and resolve:GetCurrentPage() ~= page then
    resolve:OpenPage(page)
  end
  return #items_of(timeline, wanted) == 0
end

local function current_timeline()
  return resolve:GetProjectManager():GetCurrentProject():GetCurrentTimeline()
end

local STEPS_BACK = {
  AddTrack = function(timeline, arguments)
    local kind, options = arguments[1], arguments[2]
    local count = timeline:GetTrackCount(kind)
    local index = type(options) == "table" and options.index or count
    return function()
      local is_gone = timeline:GetTrackCount(kind) < count
      local is_used = not is_gone and #(timeline:GetItemListInTrack(kind, index) or {}) > 0
      return is_gone or is_used or timeline:DeleteTrack(kind, index)
    end
  end,
  AppendToTimeline = function(_, _, items)
    local timeline, wanted = current_timeline(), {}
    for _, item in ipairs(items) do
      wanted[item:GetUniqueId()] = true
    end
    return function()
      return delete_items(timeline, wanted)
    end
  end,
  ImportMedia = function(pool, _, clips)
    return function()
      return pool:DeleteClips(clips)
    end
  end,
  AddSubFolder = function(pool, _, folder)
    return function()
      local is_used = #(folder:GetClipList() or {}) > 0 or #(folder:GetSubFolderList() or {}) > 0
      return is_used or pool:DeleteFolders({ folder })
    end
  end,
  AddMarker = function(target, arguments)
    return function()
      return (target:GetMarkers() or {})[arguments[1]] == nil or target:DeleteMarkerAtFrame(arguments[1])
    end
  end,
  AddTake = function(item)
    local count = item:GetTakesCount()
    return function()
      return item:GetTakesCount() ~= count or item:DeleteTakeByIndex(count)
    end
  end,
  AddRenderJob = function(project, _, job)
    return function()
      for _, one in ipairs(project:GetRenderJobList() or {}) do
        if one.JobId == job then
          return project:DeleteRenderJob(job)
        end
      end
    end
  end,
}

local function before_marks(target)
  if not target or target.GetMarkInOut == nil then
    return
  end
  local marks = target:GetMarkInOut() or {}
  remember("SetMarkInOut", function()
    target:ClearMarkInOut()
    for kind, range in pairs(marks) do
      if range["in"] and range["out"] then
        target:SetMarkInOut(range["in"], range["out"], kind)
      end
    end
  end)
end

local function before_setting(target, name, arguments)
  local reader, count = SETTERS[name][1], SETTERS[name][2]
  local first, second = arguments[1], arguments[2]
  local function read()
    if count == 2 then
      return target[reader](target, first, second)
    elseif count == 1 then
      return target[reader](target, first)
    end
    return target[reader](target)
  end
  local before = read()
  if before ~= nil then
    remember(name, function()
      if count == 2 then -- a track that is not as it was set is another one by now
        return read() ~= arguments[3] or target[name](target, first, second, before)
      elseif count == 1 then
        return target[name](target, first, before)
      end
      return target[name](target, before)
    end)
  end
end

local function undo()
  for index = #steps, 1, -1 do
    local went, result = pcall(steps[index][2])
    if not went or result == false then
      say(steps[index][1] .. " could not be undone; use Edit, Undo.")
    end
  end
  steps = {}
end

-- requests ----------------------------------------------------------------------------------------------------------

local allowed = {}

local function call(target, name, arguments, count)
  if not allowed[name] then
    refuse("refused", tostring(name) .. " is not among the calls that are let through.")
  end
  local method = target[name]
  if method == nil then
    refuse("no_such_name", "This version of Resolve has no " .. name .. ".")
  end
  if name == "SetMarkInOut" or name == "ClearMarkInOut" then
    before_marks(target)
  elseif name == "OpenPage" then -- going to the Deliver page loses them
    before_marks(current_timeline())
  elseif name == "AddSubFolder" then -- a new bin becomes the current one
    local folder = target:GetCurrentFolder()
    remember(name, function()
      return target:SetCurrentFolder(folder)
    end)
  end
  if SETTERS[name] then
    before_setting(target, name, arguments)
  end
  local went, result = pcall(method, target, unpack(arguments, 1, count))
  if not went then
    refuse("resolve", "Resolve failed in " .. name .. ": " .. tostring(result))
  end
  if result and LOST[name] then
    remember(name, function()
      return false
    end)
  elseif result and STEPS_BACK[name] then
    remember(name, STEPS_BACK[name](target, arguments, result))
  end
  return result
end

local ended = nil

local function answer_of(request)
  for _, handle in ipairs(request.release or {}) do
    held[handle] = nil
  end
  if request.call then
    local name = request.call[2]
    local arguments = request.call[3]
    return json(call(object_of(request.call[1]), name, unpacked(arguments), arguments["$n"]), name)
  elseif request.get then
    if not tostring(request.get[2]):match("^[A-Z0-9_]+$") then
      refuse("refused", tostring(request.get[2]) .. " is no constant.")
    end
    return json(object_of(request.get[1])[request.get[2]])
  elseif request.names then
    local found = {}
    for name in pairs(allowed) do
      if object_of(request.names)[name] ~= nil then
        found[#found + 1] = name
      end
    end
    return json(found)
  elseif request.show then
    return "false"
  elseif request.ask then
    refuse("no_window", "This Resolve shows no windows of scripts.")
  elseif request.settle then
    steps = {}
    return "true"
  elseif request["end"] then
    ended = request["end"]
    return "true"
  end
  refuse("malformed", "The request asks for nothing that is known here.")
end

local function answer_text(request)
  local went, result = pcall(answer_of, request)
  if went and #result > MAX_ANSWER_BYTES then
    went, result = false, { kind = "too_large", message = "Resolve's answer is larger than is passed on." }
  end
  if went then
    return ('{"id":%d,"value":%s}'):format(request.id, result)
  end
  local told = type(result) == "table" and result or { kind = "malformed", message = tostring(result) }
  local kind, message = json_text(told.kind), json_text(told.message)
  return ('{"id":%d,"error":{"kind":%s,"message":%s}}'):format(request.id, kind, message)
end

-- the mailbox -------------------------------------------------------------------------------------------------------

local function read(name)
  local path = SETTINGS.mailbox .. "/" .. name
  if not bmd.fileexists(path) then
    return nil
  end
  local chunk = loadfile(path)
  if not chunk then
    return nil
  end
  if setfenv then
    setfenv(chunk, {}) -- a message is a table and nothing else
  end
  local went, message = pcall(chunk)
  return went and type(message) == "table" and message or nil
end

-- Hexadecimal, so that nothing in it can be misread in Fusion's own file; with its length, so that a part is noticed.
local function answer(session, text)
  local hex = text:gsub(".", function(letter)
    return ("%02x"):format(letter:byte())
  end)
  fusion:SetPrefs(KEY, ("%s.%d.%s"):format(session, #hex, hex))
  fusion:SavePrefs(SETTINGS.mailbox .. "/answer.prefs")
  if not bmd.fileexists(SETTINGS.mailbox .. "/answer.prefs") then
    fusion:SavePrefs()
  end
end

local function waiting_companion()
  local first = read("beat.lua")
  for _ = 1, DEAD_AFTER_POLLS do
    local beat = read("beat.lua")
    if first == nil or beat == nil then
      return nil
    elseif beat.count ~= first.count then
      return beat.session
    end
    bmd.wait(POLL_S)
  end
end

local function serve(session)
  local product, version = resolve:GetProductName(), resolve:GetVersion() or {}
  answer(session, ('{"diffava":%d,"version":%s,"product":%s,"resolve":%s,"has_window":false,"root":%s}'):format(
    PROTOCOL, json_text(SETTINGS.version), json_text(tostring(product)), json(version), json(resolve)))
  local last_id, last_count, quiet_polls = 0, nil, 0
  while not ended and quiet_polls < DEAD_AFTER_POLLS do
    local request = read("request.lua")
    if request and request.session == session and request.id > last_id then
      last_id, quiet_polls = request.id, 0
      answer(session, answer_text(request))
    else
      local beat = read("beat.lua")
      if beat and beat.session == session and beat.count ~= last_count then
        last_count, quiet_polls = beat.count, 0
      else
        quiet_polls = quiet_polls + 1
      end
      bmd.wait(POLL_S)
    end
  end
end

local function main()
  if not SETTINGS then
    return say("this file was copied by hand; run `python3 installer/bootstrap.py resolve install` instead.")
  end
  for name in ALLOWED:gmatch("%S+") do
    allowed[name] = true
  end
  local session = waiting_companion()
  if not session then
    say("no companion waits. Open a terminal, run `diffava resolve listen`, and choose this again.")
    return say("Without it: File, Export, Timeline (.otio); `diffava resolve files` says the rest.")
  end
  local went, problem = pcall(serve, session)
  undo()
  fusion:SetPrefs(KEY, "")
  if not went then
    say(type(problem) == "table" and problem.message or tostring(problem))
  elseif ended then
    say(ended.text)
  else
    say("the companion ended early; what it had begun was undone.")
  end
end

main()
