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
