{
__sveltekit_gve1py = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Ki5RtlcZ.js"),
import("/_/_app/immutable/entry/app.3KjKVfkZ.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
