{
__sveltekit_1a5yyia = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.BMyAPl6T.js"),
import("/_/_app/immutable/entry/app.BFaAXRhR.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
