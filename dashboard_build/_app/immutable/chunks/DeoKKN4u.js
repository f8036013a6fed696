import{b as e}from"./Df0R6HA4.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
