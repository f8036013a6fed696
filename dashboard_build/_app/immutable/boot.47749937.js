{
__sveltekit_1lu9ipm = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DHD7Bukn.js"),
import("/_/_app/immutable/entry/app.DruYsqyT.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
