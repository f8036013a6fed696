import{b as e}from"./DK7gJTHm.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
