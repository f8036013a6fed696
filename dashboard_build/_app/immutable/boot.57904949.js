{
__sveltekit_1fpfh2u = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DlXE0Jtq.js"),
import("/_/_app/immutable/entry/app.JYtDv668.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
