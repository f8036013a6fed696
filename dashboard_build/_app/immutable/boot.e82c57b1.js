{
__sveltekit_1qta30c = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.tp-nfUvQ.js"),
import("/_/_app/immutable/entry/app.e8tRj8zt.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
