import{b as e}from"./BPDt_ks0.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
