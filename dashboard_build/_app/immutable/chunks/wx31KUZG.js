import{b as e}from"./mNrqp9uQ.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
