import{b as e}from"./BlIVf2dN.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
