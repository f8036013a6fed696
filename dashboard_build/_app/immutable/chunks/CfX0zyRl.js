import{b as e}from"./DpG72FLJ.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
