{
__sveltekit_1xzqrzk = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.E1pavTrt.js"),
import("/_/_app/immutable/entry/app.CzavWbAx.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
