import{b as e}from"./MeT7ZGgy.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
