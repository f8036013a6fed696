import{b as e}from"./CT3lqcXT.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
