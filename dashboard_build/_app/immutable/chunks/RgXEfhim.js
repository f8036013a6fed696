import{b as e}from"./Bif-Br4x.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
