{
__sveltekit_18x6jqk = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.MgMJ6e8g.js"),
import("/_/_app/immutable/entry/app.g1rWhXTD.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
