import{b as e}from"./Cx84U8DU.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
