{
__sveltekit_17qk3qg = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.WsnolBQL.js"),
import("/_/_app/immutable/entry/app.CS4-yGm3.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
