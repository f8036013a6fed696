import{b as e}from"./CKHg5QFC.js";function r(...o){return`${e}/${o.map(encodeURIComponent).join("/")}`}export{r as h};
