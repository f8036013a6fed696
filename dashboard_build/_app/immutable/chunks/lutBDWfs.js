import{b as e}from"./DQF18SHK.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
