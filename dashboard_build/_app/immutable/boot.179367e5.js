{
__sveltekit_1xvdcz1 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.cp6MH1g7.js"),
import("/_/_app/immutable/entry/app.DF7K0ST_.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
