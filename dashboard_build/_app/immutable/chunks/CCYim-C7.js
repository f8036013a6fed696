import{b as e}from"./Be5IOsyT.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
