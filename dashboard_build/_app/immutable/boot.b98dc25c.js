{
__sveltekit_1b8e8y0 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start._4lzyifQ.js"),
import("/_/_app/immutable/entry/app.-FNkYfGz.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
