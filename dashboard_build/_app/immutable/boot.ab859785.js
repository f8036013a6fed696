{
__sveltekit_vompfs = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.CqMCt9mh.js"),
import("/_/_app/immutable/entry/app.BnOxrG1n.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
