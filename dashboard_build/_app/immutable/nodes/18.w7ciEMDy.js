import{_ as m}from"../chunks/C496Brs0.js";export{m as component};
