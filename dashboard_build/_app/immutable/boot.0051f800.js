{
__sveltekit_8bxbdq = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DxRqi1w7.js"),
import("/_/_app/immutable/entry/app.WCa2LLub.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
