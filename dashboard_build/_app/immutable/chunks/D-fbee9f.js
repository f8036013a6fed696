import{b as e}from"./CpoVV62w.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
