import{b as e}from"./BG47D7df.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
