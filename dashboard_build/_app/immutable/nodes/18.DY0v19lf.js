import{_ as m}from"../chunks/1cTifRz1.js";export{m as component};
