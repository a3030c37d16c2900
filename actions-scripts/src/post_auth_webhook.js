// post_auth_webhook sends one compact JSON document for each login attempt, for
// ZITADEL Actions V1: flows Internal and External Authentication, trigger Post
// Authentication. Name the action post_auth_webhook, as the function.
//
// THE LOGIN WAITS for the answer, or for the timeout of the action: set a short one, such
// as 2s (default: 20s). "Allowed to fail" MUST be on: a refused connection, a denied
// address and a timeout make fetch panic in Go, which a script cannot catch; without it
// they end every login. Nothing is sent a second time.
//
// It reads no form, no cookie and no token, and only two headers.

// Where to: https, no redirect (the key would follow it), nothing on ZITADEL's deny list.
var ENDPOINT = "https://siem.example.com/zitadel/post-auth";
// The secret that the endpoint knows too. Whoever may read actions in ZITADEL can read it.
var KEY = "CHANGE-ME";

// The action. It returns nothing: ZITADEL treats any other result as an error.
function post_auth_webhook(ctx, api) {
  try {
    send(postAuthMessage(ctx));
  } catch (e) {
    complain("not sent: ", e);
  }
}

function send(message) {
  if (KEY === "CHANGE-ME") {
    complain("set ENDPOINT and KEY in the script", "");
    return;
  }
  var answer = require("zitadel/http").fetch(ENDPOINT, {
    method: "POST",
    // Lists, since ZITADEL splits a string at its commas. These headers replace its own.
    headers: { "Content-Type": ["application/json"], "X-Zitadel-Siem-Key": [KEY] },
    // An object, since ZITADEL writes the body as JSON: a string would arrive in quotes.
    body: JSON.parse(message)
  });
  // Not answer.json(): it panics if the answer is not JSON, and the body is not needed.
  var status = answer.status || answer.statusCode; // old versions call it statusCode
  if (!(status >= 200 && status < 300)) {
    complain("the endpoint answered ", status);
  }
}

// complain writes to ZITADEL's log, which only its operator can see.
function complain(what, detail) {
  try {
    require("zitadel/log").warn("%s", "post_auth_webhook: " + what + detail);
  } catch (e) {
    // The login must go on.
  }
}
