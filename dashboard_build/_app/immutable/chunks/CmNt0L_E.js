import{b as e}from"./XYagL_jI.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
