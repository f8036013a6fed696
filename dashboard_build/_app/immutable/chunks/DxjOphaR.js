import{b as e}from"./Fpv4fX0R.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
