import{b as e}from"./ouTgVqIe.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
