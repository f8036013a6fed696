{
__sveltekit_41fcwn = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Bda7FdeM.js"),
import("/_/_app/immutable/entry/app.D5xAdhSR.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
