import{b as e}from"./Ct2-hrq7.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
