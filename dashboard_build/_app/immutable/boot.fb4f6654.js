{
__sveltekit_1ed2hvn = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.BAfxhD6k.js"),
import("/_/_app/immutable/entry/app._PiPq6B9.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
