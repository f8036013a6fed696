{
__sveltekit_1c85jyq = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DOYOt3hT.js"),
import("/_/_app/immutable/entry/app.DTpUjBgv.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
