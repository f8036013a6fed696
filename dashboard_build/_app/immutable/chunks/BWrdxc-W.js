import{b as e}from"./Cc_jdic4.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
