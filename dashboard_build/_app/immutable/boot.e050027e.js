{
__sveltekit_1jfm8rh = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.O6tv20c4.js"),
import("/_/_app/immutable/entry/app.CCx9BtnN.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
