{
__sveltekit_1ff3q9a = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.BLlKxFW6.js"),
import("/_/_app/immutable/entry/app.Hr7FuFDi.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
