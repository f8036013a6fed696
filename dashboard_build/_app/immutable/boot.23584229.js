{
__sveltekit_r28zyn = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.3Ajk-suD.js"),
import("/_/_app/immutable/entry/app.DaiSJFq_.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
