import{b as e}from"./scmqY6s5.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
