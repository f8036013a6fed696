import{b as e}from"./DyrPWXv8.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
