import{b as e}from"./CIUSfYZ_.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
