import{b as e}from"./wuLLqW11.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
