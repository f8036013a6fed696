import{_ as m}from"../chunks/C048Nu9b.js";export{m as component};
