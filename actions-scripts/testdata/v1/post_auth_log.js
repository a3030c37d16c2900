// zitadel-siem script, version 1, checksum 3dc86223e558575d. Setup replaces no edited copy.
// post_auth_log prints one compact JSON message for each login attempt, for
// ZITADEL Actions V1: flows Internal and External Authentication, trigger Post
// Authentication. Name the action post_auth_log, as the function, and allow it to fail.
//
// It reads no form, no cookie and no token, and only two headers.

// The action. It returns nothing: ZITADEL treats any other result as an error.
function post_auth_log(ctx, api) {
  try {
    // require may throw too, so it is inside try. The first argument is a format: "%s"
    // prints a % that a user typed as it is, in every version of the engine.
    require("zitadel/log").log("%s", postAuthMessage(ctx));
  } catch (e) {
    // There is no other place to report it, and the login must go on.
  }
}

// From here on both scripts, post_auth_log and post_auth_webhook, are the same.

// The fields of the message in their order: name, budget of the escaped value in bytes,
// and where it is read. ZITADEL cuts a log message of more than 2,000 bytes, which breaks
// the JSON, so the worst case must stay below that:
//    38  {"post_auth_log":1,"outcome":"success"
//   221  14 times ,"NAME":"" with 137 bytes of names
//  1536  the values: the sum of the budgets below
//   187  ,"cut":[...] with all 14 names
//     1  }
//  1983  bytes at most
var FIELDS = [
  ["error", 220, function (v1) { return errorText(v1); }, withoutSecrets],
  ["method", 24, function (v1) { return v1.authMethod; }],
  ["auth_request_id", 64, function (v1) { return v1.authRequest.id; }],
  ["agent_id", 48, function (v1) { return v1.authRequest.agentId; }],
  ["user_id", 96, function (v1) { return v1.authRequest.userId; }],
  ["user_name", 200, function (v1) { return v1.authRequest.userName; }],
  ["login_name", 200, function (v1) { return v1.authRequest.loginName; }],
  ["resource_owner", 72, function (v1) { return v1.authRequest.resourceOwner; }],
  ["application_id", 64, function (v1) { return v1.authRequest.applicationId; }],
  ["idp_id", 64, function (v1) { return v1.authRequest.selectedIdpConfigId; }],
  ["remote_addr", 64, function (v1) { return v1.httpRequest.remoteAddr; }],
  ["forwarded_for", 160, function (v1) { return header(v1.httpRequest.headers, "X-Forwarded-For", 160); }],
  ["user_agent", 220, function (v1) { return header(v1.httpRequest.headers, "User-Agent", 220); }],
  ["auth_time", 40, function (v1) { return rfc3339(v1.authRequest.authTime); }]
];

// postAuthMessage returns the message as JSON. It never throws.
function postAuthMessage(ctx) {
  try {
    return build(read(function () { return ctx.v1; }));
  } catch (e) {
    return '{"post_auth_log":1,"outcome":"unknown"}';
  }
}

function build(v1) {
  // Only "none" is a success, whatever else authError may be.
  var success = text(function () { return v1.authError; }) === "none";
  var json = '{"post_auth_log":1,"outcome":' + (success ? '"success"' : '"failure"');
  var cut = [];
  FIELDS.forEach(function (field) {
    var value = text(function () { return field[2](v1); });
    if (value === undefined || value === "") {
      return;
    }
    var fitted = fit(value, field[1], field[3]);
    json += ',"' + field[0] + '":"' + fitted.json + '"';
    if (fitted.cut) {
      cut.push('"' + field[0] + '"');
    }
  });
  // A list of names marks cut values: a user could type an ellipsis.
  return json + (cut.length > 0 ? ',"cut":[' + cut.join(",") + "]" : "") + "}";
}

// read returns what f returns, or undefined where it throws.
function read(f) {
  try {
    return f();
  } catch (e) {
    return undefined;
  }
}

// text returns what f returns if that is text, else undefined. ZITADEL's authMethod
// is a Go type of its own, which the engine shows as an object around a string.
function text(f) {
  var value = read(f);
  if (typeof value === "object") {
    value = read(function () { return value.valueOf(); });
  }
  return typeof value === "string" ? value : undefined;
}

function errorText(v1) {
  var error = text(function () { return v1.authError; });
  if (error === undefined) {
    return "authError is missing or no text";
  }
  return error === "none" ? "" : error;
}

// withoutSecrets is for errors of an identity provider's client, which may quote a URL or
// a form.
function withoutSecrets(error) {
  return error
    .replace(/(:\/\/[^\s"'?#]*[?#])[^\s"']*/g, "$1[REDACTED]")
    .replace(/((?:code|token|assertion|secret|password)(?:=|"\s*:\s*"))[^\s"'&;,]+/gi, "$1[REDACTED]");
}

// header joins the lines of a header until there are enough characters to fill the
// budget. Each line adds at least two, so the loop ends for every list. Go's server gives
// each header one spelling. The names are never listed: a client may send so many that the
// action would reach its time limit.
function header(headers, name, enough) {
  var joined = "", lines = 0;
  [name, name.toLowerCase()].forEach(function (key) {
    var values = headers[key];
    values = typeof values === "string" ? [values] : values || [];
    for (var i = 0; i < values.length && joined.length <= enough; i++) {
      joined += (lines++ > 0 ? ", " : "") + (text(function () { return values[i]; }) || "");
    }
  });
  return joined;
}

// rfc3339 takes a Go time.Time or a Date, which both have a JSON form, or a string. It
// returns undefined for the zero time, which ZITADEL has at a first password check.
function rfc3339(time) {
  var value = typeof time === "string" ? time : JSON.parse(JSON.stringify(time));
  var valid = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value);
  return valid && value.slice(0, 10) !== "0001-01-01" ? value : undefined;
}

// fit cleans a value, if there is a function for that, and escapes it character by
// character until the budget is full.
function fit(value, budget, clean) {
  // Only the beginning is read: a regular expression of this engine needs seconds for some
  // texts of 20,000 characters that are not ASCII.
  var enough = value.codePointAt(999) > 0xffff ? 999 : 1000;
  var cut = value.length > enough;
  value = value.slice(0, enough);
  value = clean ? clean(value) : value;
  var json = "", used = 0;
  for (var i = 0; i < value.length;) {
    var code = value.codePointAt(i);
    var piece = escaped(code);
    used += size(piece);
    if (used > budget) {
      return { json: json, cut: true };
    }
    json += piece;
    i += code > 0xffff ? 2 : 1;
  }
  return { json: json, cut: cut };
}

// escaped returns a code point as a JSON string has it. A lone surrogate has no UTF-8.
// Characters that move a cursor, break a line or turn the direction of text are escaped
// too, so that a terminal which shows the log is safe.
function escaped(code) {
  if (code === 0x22 || code === 0x5c) {
    return "\\" + String.fromCharCode(code);
  }
  if (code >= 0xd800 && code <= 0xdfff) {
    return "\ufffd";
  }
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) {
    return "\\u" + ("000" + code.toString(16)).slice(-4);
  }
  return String.fromCodePoint(code);
}

// size returns the bytes that a piece from escaped takes in UTF-8.
function size(piece) {
  var code = piece.codePointAt(0);
  return code < 0x80 ? piece.length : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}
