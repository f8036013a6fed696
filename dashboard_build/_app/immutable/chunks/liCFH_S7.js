import{b as e}from"./DOewjgaX.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
